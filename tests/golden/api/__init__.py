"""What Cinder's API answers to every action on a volume in every state, recorded from the real code."""
