"""What runs Rookery on one machine: embedded servers, demo data, nginx."""
