"""What the formats of one trainer share, and the files that a trainer needs beside the rows."""
