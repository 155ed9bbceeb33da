"""What people decide beside promotions: holds, overrides, standing approvals."""
