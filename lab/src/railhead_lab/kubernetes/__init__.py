# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Kubernetes cluster of the lab is installed from: packages, images, and the two servers that hand them out."""
