"""What a laptop lacks of production: `turno stack`, its services and stand-ins, sample data and the demo."""
