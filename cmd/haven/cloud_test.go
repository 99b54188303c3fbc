package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestCloudScript drives the binary with an emulator of AWS, which HAVEN_MOTO names: moto_server of
// PyPI's moto, as "make emulators" installs it. Only where HAVEN_CI is not 1 may it be absent.
func TestCloudScript(t *testing.T) {
	program := os.Getenv("HAVEN_MOTO")
	if program == "" && os.Getenv("HAVEN_CI") != "1" {
		t.Skip("no emulator: run make emulators and set HAVEN_MOTO as it says")
	}
	target := startMoto(t, program)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/cloud",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			front := newFront(target)
			env.Defer(front.down)
			if err := front.up(); err != nil {
				return err
			}
			key, err := front.createKey()
			if err != nil {
				return err
			}
			env.Values[frontKey{}] = front
			for name, value := range map[string]string{
				"HAVEN_ENDPOINT": "", "HAVEN_CA": "", "HAVEN_TOKEN": "", "HAVEN_DATA": "",
				"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
				"SEAL": "awskms://" + key + "?region=us-east-1&endpoint=http://" + front.address,
				"KEY":  key,
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": ready, "exits": exits, "json": fields, "keep": keep, "cloud": cloud, "unlocks": unlocks,
		},
	})
}

var motoListens = regexp.MustCompile(`Running on (http://127\.0\.0\.1:[0-9]+)`)

// startMoto starts the emulator on a free port and returns its URL. It ends with the test.
func startMoto(t *testing.T, program string) *url.URL {
	t.Helper()
	c := exec.CommandContext(t.Context(), program, "-H", "127.0.0.1", "-p", "0")
	said, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatalf("HAVEN_MOTO: %v", err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // it has nothing to keep
		_ = c.Wait()
	})
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if m := motoListens.FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, said) // it logs each request
			target, err := url.Parse(m[1])
			if err != nil {
				t.Fatal(err)
			}
			return target
		}
	}
	t.Fatalf("the emulator did not say where it listens: %v", lines.Err())
	return nil
}

// front stands before the emulator, at one address, and can be taken down and put up again: what the
// emulator holds would be gone if it ended.
type front struct {
	address string
	proxy   http.Handler
	server  *http.Server
}

type frontKey struct{}

func newFront(target *url.URL) *front {
	return &front{address: "127.0.0.1:0", proxy: httputil.NewSingleHostReverseProxy(target)}
}

func (f *front) up() error {
	listener, err := net.Listen("tcp", f.address)
	if err != nil {
		return err
	}
	f.address, f.server = listener.Addr().String(), &http.Server{Handler: f.proxy}
	go f.server.Serve(listener)
	return nil
}

func (f *front) down() { _ = f.server.Close() }

// createKey makes a key in the emulated AWS KMS and returns its id.
func (f *front) createKey() (string, error) {
	r, err := http.NewRequest(http.MethodPost, "http://"+f.address+"/", bytes.NewReader([]byte("{}")))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService.CreateKey")
	// The emulator reads service and region in it and checks no signature.
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=00")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var made struct{ KeyMetadata struct{ KeyID string } }
	if err := json.NewDecoder(answer.Body).Decode(&made); err != nil || made.KeyMetadata.KeyID == "" {
		return "", fmt.Errorf("CreateKey was answered %s: %v", answer.Status, err)
	}
	return made.KeyMetadata.KeyID, nil
}

// cloud up|down makes the emulator reachable, or not.
func cloud(ts *testscript.TestScript, neg bool, args []string) {
	f := ts.Value(frontKey{}).(*front)
	switch {
	case !neg && len(args) == 1 && args[0] == "up":
		ts.Check(f.up())
	case !neg && len(args) == 1 && args[0] == "down":
		f.down()
	default:
		ts.Fatalf("usage: cloud up|down")
	}
}

// unlocks waits until the server of HAVEN_DATA is ready: a locked one tries its seals again.
func unlocks(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: unlocks")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for ts.Exec("haven", "status") != nil {
		select {
		case <-ctx.Done():
			ts.Fatalf("the server stays locked")
		case <-look.C:
		}
	}
}
