# SPDX-License-Identifier: LGPL-2.1-or-later
# Aliases only: the logic is in script/, for machines without make.
.PHONY: run test check lint interleave long bench lock

run test check lint interleave long bench lock:
	@script/$@
