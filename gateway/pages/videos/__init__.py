"""Videos of jobs, watched while they are made and afterwards."""
