module example.com/broken

go 1.26

require example.com/nowhere v1.0.0
