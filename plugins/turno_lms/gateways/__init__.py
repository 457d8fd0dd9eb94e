"""The payment gateways beyond their webhooks: money that went back, payments never told, events told again."""
