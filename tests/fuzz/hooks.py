"""What schemathesis is told beside the document."""
