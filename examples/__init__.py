"""Small applications with an activity log, each started by one command: `make example-fastapi`."""
