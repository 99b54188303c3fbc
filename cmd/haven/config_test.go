package main

import (
	"bytes"
	"reflect"
	"testing"
)

// FuzzConfig: a configuration that is read is written and read as the same.
func FuzzConfig(f *testing.F) {
	whole, err := defaultConfig().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"data":"x","seals":{"daily":"keyfile"},"tls":{"cert_file":"a","key_file":"b"},"hosts":["h"]}`))
	f.Add([]byte(`{"data":"x","data":"y"}`))
	f.Add([]byte(`{"limits":{"connections":-1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseConfig(b)
		if err != nil {
			return
		}
		encoded, err := c.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseConfig(encoded)
		if err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		twice, err := again.encode()
		if err != nil || !bytes.Equal(encoded, twice) {
			t.Fatalf("%s, then %s, %v", encoded, twice, err)
		}
	})
}

// TestConfigServes asserts that each member reaches the server.
func TestConfigServes(t *testing.T) {
	c, err := parseConfig([]byte(`{
		"data": "d", "listen": "h:1", "hosts": ["haven.example"], "region": "eu-north-1", "account": "123456789012",
		"tls": {"cert_file": "c", "key_file": "k", "ca_file": "a"}, "log": {"format": "text", "level": "warn", "requests": true},
		"limits": {"connections": 1, "calls_per_second": 2, "calls_burst": 3, "failed_authentications_per_address": 4},
		"cache_keys": 5, "clock_gap_days": 6}`))
	if err != nil {
		t.Fatal(err)
	}
	s := c.serve()
	got := []any{s.DataDir, s.Listen, s.Hosts[0], s.Region, s.Account, s.CertFile, s.KeyFile, s.CAFile, s.AccessLog,
		s.Limits.Connections, s.PrincipalRate.PerSecond, s.PrincipalRate.Burst, s.Limits.FailedPerAddress.PerSecond, s.CacheKeys, s.ClockGap}
	want := []any{"d", "h:1", "haven.example", "eu-north-1", "123456789012", "c", "k", "a", true, 1, 2.0, 3, 4.0, 5, 6 * day}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
