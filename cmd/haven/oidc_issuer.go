package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/haven-health/haven/identity/oidc"
)

// issuerConfig is an issuer of OpenID Connect tokens, in the file of haven serve.
type issuerConfig struct {
	Issuer   string   `json:"issuer"`
	Audience string   `json:"audience"`
	Claim    string   `json:"claim,omitzero"`
	Prefix   string   `json:"prefix,omitzero"`
	ACR      []string `json:"acr,omitzero"`
	CAFile   string   `json:"ca_file,omitzero"`
}

const issuerHelp = `An issuer whose OpenID Connect tokens prove who calls is given as URL,audience=NAME, and optionally
,claim=CLAIM (default sub) ,prefix=PREFIX (before the claim's value in the principal's name)
,acr=VALUE (wanted of its tokens; repeat for more) ,ca=FILE (certificates to trust).`

// parseIssuer reads what --oidc-issuer is given.
func parseIssuer(text string) (issuerConfig, error) {
	url, rest, _ := strings.Cut(text, ",")
	c := issuerConfig{Issuer: url}
	if rest == "" {
		return c, nil // and without an audience it will be refused
	}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(part, "=")
		to := map[string]*string{"audience": &c.Audience, "claim": &c.Claim, "prefix": &c.Prefix, "ca": &c.CAFile}[name]
		switch {
		case value == "":
			return c, usagef("--oidc-issuer: %q is not NAME=VALUE", part)
		case name == "acr":
			c.ACR = append(c.ACR, value)
		case to == nil || *to != "":
			return c, usagef("--oidc-issuer: %q is unknown, or given twice", name)
		default:
			*to = value
		}
	}
	return c, nil
}

// addIssuers takes those of the flags, if there are any, in place of the file's.
func (c *config) addIssuers(given []string) error {
	if len(given) == 0 {
		return nil
	}
	c.OIDC = nil
	for _, text := range given {
		issuer, err := parseIssuer(text)
		if err != nil {
			return err
		}
		c.OIDC = append(c.OIDC, issuer)
	}
	if err := checkIssuers(c.OIDC); err != nil {
		return usageError{err}
	}
	return nil
}

// issuer returns what the library's configuration has, without the certificates to trust.
func (c *issuerConfig) issuer() oidc.Issuer {
	return oidc.Issuer{URL: c.Issuer, Audience: c.Audience, Claim: c.Claim, Prefix: c.Prefix, ACR: c.ACR}
}

func checkIssuers(list []issuerConfig) error {
	issuers := make([]oidc.Issuer, len(list))
	for i := range list {
		issuers[i] = list[i].issuer()
	}
	return oidc.Check(issuers)
}

// issuers returns what the library's configuration has.
func (c *config) issuers() ([]oidc.Issuer, error) {
	var out []oidc.Issuer
	for i := range c.OIDC {
		issuer := c.OIDC[i].issuer()
		if name := c.OIDC[i].CAFile; name != "" {
			pem, err := os.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("certificates to trust for %s: %w", issuer.URL, err)
			}
			issuer.RootCAs = x509.NewCertPool()
			if !issuer.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("%s holds no certificate", name)
			}
		}
		out = append(out, issuer)
	}
	return out, nil
}
