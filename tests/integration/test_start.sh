#!/bin/sh
# test_start.sh - starting, refusing to start, draining and reloading zipringd.
