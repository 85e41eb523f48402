"""WhatsApp numbers (360Dialog Cloud API) for the Omnichannel agents of a Rocket.Chat workspace."""
