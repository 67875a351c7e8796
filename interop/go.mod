module github.com/nestsession/session/interop

go 1.26

require github.com/nestsession/session v0.0.0

replace github.com/nestsession/session => ../
