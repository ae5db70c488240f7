"""All workers of the fleet, started and stopped by one request, as clients of the video service know it."""
