"""What a student gets of a trace: a dialogue, boxes in the student's frame, and its length."""
