"""How codecs are trained: passages as a few soft tokens that one frozen model reads (`agentcl.compression`)."""
