module static_header

go 1.25

require flumen v0.0.0

require go.bytecodealliance.org/pkg v0.2.3 // indirect

replace flumen => ../../sdk/go
