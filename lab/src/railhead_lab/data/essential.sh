#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# mmdebstrap's essential hook: files that must lie there before the kernel is
# installed. Arguments: the root of the image, the folder of guest files.

set -eu

root=$1
guest=$2
cp -r --no-preserve=ownership "$guest/." "$root/"
