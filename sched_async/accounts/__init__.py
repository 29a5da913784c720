"""What a person does with their account: one module for each thing."""
