#!/usr/bin/env bash
# Makes its own environment, installs genrec and runs the whole main job on embedded data.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh" ""
exec genrec demo "$@"
