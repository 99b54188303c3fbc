package main

import (
	"context"
	"errors"
	"os"

	"github.com/haven-health/haven/client"
)

// variable reads an environment variable, under the flag that wins over it. A folder given by flag
// also wins over the endpoint and authority of the environment: it names the server.
func (a *app) variable(name string) string {
	flag := map[string]string{
		"HAVEN_ENDPOINT": a.endpoint, "HAVEN_CA": a.ca, "HAVEN_TOKEN": a.token, "HAVEN_DATA": a.data,
		"HAVEN_CLIENT_CERT": a.clientCert, "HAVEN_CLIENT_KEY": a.clientKey,
		"HAVEN_ACCESS_KEY_ID": a.accessKeyID, "HAVEN_SECRET_ACCESS_KEY": a.secretAccessKey,
	}[name]
	if flag != "" {
		return flag
	}
	if name == "HAVEN_TOKEN" && a.accessKeyID != "" || a.token != "" && (name == "HAVEN_ACCESS_KEY_ID" || name == "HAVEN_SECRET_ACCESS_KEY") {
		return "" // of two ways to prove who calls, the one that was given by flag
	}
	if a.data != "" && (name == "HAVEN_ENDPOINT" || name == "HAVEN_CA") {
		return ""
	}
	return os.Getenv(name)
}

// server tells where the server is, and as whom to call it.
func (a *app) server() (client.Config, error) { return client.ConfigFrom(a.variable) }

// call calls the server once it was found.
func call[Answer any](ctx context.Context, a *app, do func(context.Context, *client.Client) (Answer, error)) (Answer, error) {
	var none Answer
	cfg, err := a.server()
	if err != nil {
		return none, err
	}
	if cfg.Token == "" && cfg.Certificate == nil && cfg.SigningKey.ID == "" {
		return none, errors.New("no token: set HAVEN_TOKEN, or give --token, an access key (--access-key-id) or a certificate (--client-cert)")
	}
	c, err := client.New(cfg)
	if err != nil {
		return none, err
	}
	defer c.Close()
	return do(ctx, c)
}

// folder is the data folder for commands that work on one.
func (a *app) folder() (string, error) {
	if folder := a.variable("HAVEN_DATA"); folder != "" {
		return folder, nil
	}
	return "", usagef("--data FOLDER (or HAVEN_DATA) is required")
}
