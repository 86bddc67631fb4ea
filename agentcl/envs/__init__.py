"""Where agents are tested: environments and question streams."""
