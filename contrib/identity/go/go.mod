module agentidentity

go 1.19
