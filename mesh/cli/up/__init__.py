"""`mesh up`: the processes of a mesh on this machine: their commands, restarts and end."""
