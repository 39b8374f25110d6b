#!/usr/bin/env bash
# foreign_client.sh - a client in another language, written from PROTOCOL.md, agrees with ours on
# every golden vector.
cd "$(dirname "$0")/../.." && exec python3 tests/integration/foreign_client.py --vectors
