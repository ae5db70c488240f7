"""What goes to machines: units, manifests, dashboards, and the programs that write some of them."""
