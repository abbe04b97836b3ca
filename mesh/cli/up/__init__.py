"""`mesh up`: starts, restarts and ends the processes of a mesh on this machine."""
