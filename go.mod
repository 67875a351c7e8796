module github.com/nestsession/session

go 1.26
