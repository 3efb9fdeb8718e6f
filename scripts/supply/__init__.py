"""What the project installs: `make audit` checks it, `make sbom` lists it (docs/supply-chain.md)."""
