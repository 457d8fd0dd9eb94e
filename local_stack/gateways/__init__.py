"""A stand-in for the payment gateways: makes captured payments and delivers them as signed webhooks."""
