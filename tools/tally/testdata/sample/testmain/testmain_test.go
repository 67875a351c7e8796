package testmain

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	m.Run()
	fmt.Println("the reason of TestMain")
	os.Exit(3)
}

func TestPasses(*testing.T) {}
