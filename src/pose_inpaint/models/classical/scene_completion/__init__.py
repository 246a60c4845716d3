"""Scene completion (Hays and Efros 2007): descriptor, index, context matching, seam, blending and the method."""
