package throttle_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/nestsession/session/cmd/nestsession/internal/throttle"
)

func devices(t *testing.T, secrets ...string) *throttle.Devices {
	t.Helper()
	d, err := throttle.NewDevices(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDevices(t *testing.T) {
	t.Parallel()
	d := devices(t, "new", "old")
	value := d.Issue("kim")
	device := d.Known(value, "kim")
	if device == "" {
		t.Fatal("a device is not known by the cookie that was issued for it")
	}
	if d.Known(d.Issue("kim"), "kim") == device {
		t.Error("two devices are counted as one")
	}
	if d.Known(devices(t, "old").Issue("kim"), "kim") == "" {
		t.Error("a cookie that the second secret signed is not known")
	}
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "kim") || strings.Contains(value, "kim") {
		t.Error("the cookie tells the name")
	}
	raw[0] ^= 1
	for name, c := range map[string][2]string{
		"another name":    {value, "lee"},
		"another secret":  {devices(t, "other").Issue("kim"), "kim"},
		"another nonce":   {base64.RawURLEncoding.EncodeToString(raw), "kim"},
		"cut short":       {value[:len(value)-2], "kim"},
		"extended":        {value + "AA", "kim"},
		"nothing":         {"", "kim"},
		"no base64":       {"%%%", "kim"},
		"a nonce of ours": {base64.RawURLEncoding.EncodeToString(raw[:16]), "kim"},
	} {
		if d.Known(c[0], c[1]) != "" {
			t.Errorf("%s makes a known device", name)
		}
	}
}

func TestDevicesNeedASecret(t *testing.T) {
	t.Parallel()
	if _, err := throttle.NewDevices(nil); err == nil {
		t.Error("NewDevices without a secret: no error")
	}
}
