module github.com/nestsession/session/benchmarks

go 1.26

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/nestsession/session v0.0.0
)

replace github.com/nestsession/session => ../
