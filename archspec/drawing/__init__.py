"""Pictures of networks: what is drawn, where it goes, and the formats it is written in. Never imports torch."""
