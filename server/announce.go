package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
)

// Announcement is what the ready file tells local clients, besides endpoint and CA file. It may
// hold credentials of a development server and does not print them.
type Announcement struct {
	// File is the path of the ready file. Optional: empty writes none.
	File string
	// Region and Account are those of the server's ARNs. Required with File.
	Region, Account string
	// Token, AccessKeyID and SecretAccessKey are for a development server alone. Optional.
	Token, AccessKeyID, SecretAccessKey string
	// ConsolePath is the console's path, such as "/console/". Optional: empty when there is none.
	ConsolePath string
	// Ready is called once the file is written and the server answers. It must return at once.
	// Optional.
	Ready func()
}

// String names the file alone.
func (a Announcement) String() string { return "announcement in " + a.File }

// GoString is String, so that %#v shows no more.
func (a Announcement) GoString() string { return a.String() }

// LogValue is String, so that a log shows no more.
func (a Announcement) LogValue() slog.Value { return slog.StringValue(a.String()) }

// readyDocument is the ready file.
type readyDocument struct {
	Endpoint        string `json:"endpoint"`
	CAFile          string `json:"ca_file"`
	Region          string `json:"region"`
	Account         string `json:"account"`
	PID             int    `json:"pid"`
	Token           string `json:"token,omitzero"`
	AccessKeyID     string `json:"access_key_id,omitzero"`
	SecretAccessKey string `json:"secret_access_key,omitzero"`
	ConsoleURL      string `json:"console_url,omitzero"`
}

// publish writes the ready file in one step, 0600, and returns what removes it again. It is not
// synced: it describes a running process and means nothing after a power cut.
func (a Announcement) publish(endpoint, caFile string) (withdraw func(*slog.Logger), err error) {
	if a.File == "" {
		return nothing, nil
	}
	document := readyDocument{
		Endpoint: endpoint, CAFile: caFile, Region: a.Region, Account: a.Account, PID: os.Getpid(),
		Token: a.Token, AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey,
	}
	if a.ConsolePath != "" {
		document.ConsoleURL = endpoint + a.ConsolePath
	}
	encoded, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("server: ready file: %w", err)
	}
	// CreateTemp makes the file 0600.
	temporary, err := os.CreateTemp(filepath.Dir(a.File), ".ready-*")
	if err != nil {
		return nothing, fmt.Errorf("server: ready file: %w", err)
	}
	_, err = temporary.Write(append(encoded, '\n'))
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), a.File)
	}
	if err != nil {
		return nothing, fmt.Errorf("server: ready file: %w", errors.Join(err, os.Remove(temporary.Name())))
	}
	return a.withdraw, nil
}

// nothing withdraws a file that was not written.
func nothing(*slog.Logger) {}

func (a Announcement) withdraw(log *slog.Logger) {
	if err := os.Remove(a.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("the ready file could not be removed", slog.Any("error", err))
	}
}
