"""From transactions to RFM: the contract, its checks, and one definition for every engine."""
