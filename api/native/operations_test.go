package native_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/api/native"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/keys"
)

var update = flag.Bool("update", false, "write testdata/operations.golden anew")

// exchange is one step of the golden conversation. ID and CIPHERTEXT in a body stand for the
// conversation's key and its first ciphertext, and $NAME for what an earlier step kept as NAME.
type exchange struct {
	method, operation, ask string
	code                   gate.Code // of the refusal that is meant; 0: success
	records                int       // 0: one
	after                  time.Duration
	keep                   string // "MEMBER as NAME": a member of the answer, for later steps
}

// conversation asks every operation for something, each in a state that allows it, and meets some
// refusals on its way.
var conversation = []exchange{
	{ask: `{"purpose":"Patient data encryption","type":"data","alias":"alias/patients","tags":{"team":"clinic"}}`, operation: "create-key"},
	{ask: `{"purpose":"Patient data encryption","type":"data","alias":"alias/patients"}`, operation: "create-key", code: gate.AlreadyExists},
	{ask: `{"purpose":"Patient data encryption","type":"data","spec":"RSA_2048"}`, operation: "create-key", code: gate.Unsupported},
	{ask: `{"key":"alias/patients"}`, operation: "describe-key"},
	{ask: `?key=alias/patients`, operation: "describe-key", method: http.MethodGet},
	{ask: `{"limit":1}`, operation: "list-keys"},
	{ask: `?limit=1&type=master`, operation: "list-keys", method: http.MethodGet},
	{ask: `{"key":"alias/patients","purpose":"Patient data","rotation_days":30,"grace_days":10,"lifetime_days":0}`, operation: "update-key"},
	{ask: `{"alias":"alias/camp","key":"ID"}`, operation: "create-alias"},
	{ask: `{"alias":"alias/haven-camp","key":"ID"}`, operation: "create-alias", code: gate.InvalidRequest},
	{ask: `{"purpose":"Camp data","type":"data","description":"What the camp clinic writes.","owner":"camp clinic"}`, operation: "create-key", keep: "key_id as CAMP"},
	{ask: `{"alias":"alias/camp","key":"$CAMP"}`, operation: "update-alias"},
	{ask: `{"alias":"alias/camp","key":"alias/haven-master"}`, operation: "update-alias", code: gate.InvalidState},
	{ask: `{}`, operation: "list-aliases"},
	{ask: `?key=$CAMP`, operation: "list-aliases", method: http.MethodGet},
	{ask: `{"key":"$CAMP","tags":{"site":"camp-3","team":"clinic"}}`, operation: "tag-key"},
	{ask: `{"key":"$CAMP","names":["team"]}`, operation: "untag-key"},
	{ask: `{"state":"active","tag":"site=camp-3","owner":"camp clinic"}`, operation: "list-keys"},
	{ask: `?alias_prefix=alias/ca&due_before=2027-01-01T00:00:00Z`, operation: "list-keys", method: http.MethodGet},
	{ask: `{"alias":"alias/camp"}`, operation: "delete-alias"},
	{ask: `{"purpose":"Wraps the keys of camps","type":"master","alias":"alias/camps"}`, operation: "create-key"},
	{ask: `{"key":"$CAMP","master":"alias/camps"}`, operation: "update-key"},
	{ask: `{"key":"$CAMP","master":"alias/patients"}`, operation: "update-key", code: gate.InvalidRequest},
	{ask: `{"key":"alias/camps"}`, operation: "describe-key"},
	{ask: `{"key":"alias/camps"}`, operation: "list-key-versions"},
	{ask: `{"type":"data"}`, operation: "get-active-key"},
	{ask: `?type=data&purpose=Patient+data`, operation: "get-active-key", method: http.MethodGet},
	{ask: `{"type":"transport"}`, operation: "get-active-key", code: gate.NotFound},
	{ask: `{"key":"alias/patients","plaintext":"aGVsbG8=","context":{"patient":"17"}}`, operation: "encrypt"},
	{ask: `{"key":"alias/patients","limit":4}`, operation: "list-records"},
	{ask: `?key=$CAMP&changes=true&outcome=allowed&limit=3`, operation: "list-records", method: http.MethodGet},
	{ask: `{"event":"create-alias","outcome":"failed"}`, operation: "list-records"},
	{ask: `{"outcome":"odd"}`, operation: "list-records", code: gate.InvalidRequest},
	{ask: `{"ciphertext":"CIPHERTEXT","context":{"patient":"17"}}`, operation: "decrypt"},
	{ask: `{"ciphertext":"CIPHERTEXT","context":{"patient":"18"}}`, operation: "decrypt", code: gate.InvalidCiphertext},
	{ask: `{"ciphertext":"CIPHERTEXT","context":{"patient":"17"},"key":"alias/haven-master"}`, operation: "decrypt", code: gate.IncorrectKey},
	{ask: `{"key":"ID"}`, operation: "generate-data-key"},
	{ask: `{"key":"ID@1","bytes":64,"plaintext":false,"context":{"patient":"17"}}`, operation: "generate-data-key"},
	{ask: `{"bytes":8}`, operation: "generate-random"},
	{ask: `{"items":[{"op":"encrypt","key":"ID","plaintext":"aGVsbG8="},{"op":"decrypt","ciphertext":"CIPHERTEXT","context":{"patient":"17"}},` +
		`{"op":"generate-data-key","key":"ID"},{"op":"encrypt","key":"alias/nobody","plaintext":"aGVsbG8="}]}`, operation: "batch", records: 5},
	{ask: `{"key":"ID"}`, operation: "rotate-key"},
	{ask: `{"key":"ID@1"}`, operation: "rotate-key", code: gate.Conflict},
	{ask: `{"key":"ID"}`, operation: "list-key-versions"},
	{ask: `?key=ID&limit=1`, operation: "list-key-versions", method: http.MethodGet},
	{ask: `{"key":"ID@1"}`, operation: "deprecate-version"},
	{ask: `{"key":"ID@1","plaintext":"aGVsbG8="}`, operation: "encrypt", code: gate.InvalidState},
	{ask: `{"key":"ID"}`, operation: "disable-key"},
	{ask: `{"key":"ID","plaintext":"aGVsbG8="}`, operation: "encrypt", code: gate.InvalidState},
	{ask: `{"key":"ID"}`, operation: "enable-key"},
	{ask: `{"key":"ID","for":"1h"}`, operation: "disable-key"},
	{ask: `{"key":"ID","for":"31d"}`, operation: "disable-key", code: gate.InvalidRequest},
	{ask: `{"key":"ID","plaintext":"aGVsbG8="}`, operation: "encrypt", code: gate.InvalidState},
	{ask: `{"key":"ID","plaintext":"aGVsbG8="}`, operation: "encrypt", after: time.Hour},
	{ask: `{"key":"ID@2","reason":"a laptop was lost"}`, operation: "mark-compromised"},
	{ask: `{"key":"ID","days":7}`, operation: "schedule-key-deletion"},
	{ask: `{"key":"ID"}`, operation: "cancel-key-deletion"},
	{ask: `{"key":"ID","reason":"the whole key"}`, operation: "mark-compromised"},
	{ask: `{"purpose":"Signatures of discharge letters","type":"signing","spec":"ECC_NIST_EDWARDS25519"}`, operation: "create-key", keep: "key_id as SIGNER"},
	{ask: `{"key":"$SIGNER","message":"aGVsbG8="}`, operation: "sign", keep: "signature as SIGNATURE"},
	{ask: `{"key":"$SIGNER","message":"aGVsbG8=","digest":"aGVsbG8="}`, operation: "sign", code: gate.InvalidRequest},
	{ask: `{"key":"$SIGNER","message":"aGVsbG8=","algorithm":"ECDSA_SHA_256"}`, operation: "sign", code: gate.InvalidKeyUsage},
	{ask: `{"key":"$SIGNER","message":"aGVsbG8=","signature":"$SIGNATURE","algorithm":"ED25519_SHA_512"}`, operation: "verify"},
	{ask: `{"key":"$SIGNER","message":"aGVsbG8h","signature":"$SIGNATURE"}`, operation: "verify"},
	{ask: `{"key":"$SIGNER","plaintext":"aGVsbG8="}`, operation: "encrypt", code: gate.InvalidKeyUsage},
	{ask: `{"key":"$SIGNER"}`, operation: "get-public-key"},
	{ask: `?key=$SIGNER@1`, operation: "get-public-key", method: http.MethodGet},
	{ask: `{"key":"$SIGNER","reason":"a laptop was lost"}`, operation: "mark-compromised"},
	{ask: `{"key":"$SIGNER","message":"aGVsbG8=","signature":"$SIGNATURE"}`, operation: "verify"},
	{ask: `{"purpose":"Integrity of requests","type":"signing","key_usage":"GENERATE_VERIFY_MAC"}`, operation: "create-key", keep: "key_id as MACKEY"},
	{ask: `{"key":"$MACKEY","message":"aGVsbG8="}`, operation: "generate-mac", keep: "mac as MAC"},
	{ask: `{"key":"$MACKEY","message":"aGVsbG8=","mac":"$MAC"}`, operation: "verify-mac"},
	{ask: `{"key":"$MACKEY","message":"aGVsbG8=","mac":"aGVsbG8="}`, operation: "verify-mac"},
	{ask: `{"key":"$MACKEY"}`, operation: "get-public-key", code: gate.InvalidKeyUsage},
	{ask: `{"purpose":"Agreement with the laboratory","type":"transport","key_usage":"KEY_AGREEMENT","spec":"ECC_NIST_P256"}`, operation: "create-key", keep: "key_id as PARTY"},
	{ask: `{"key":"$PARTY"}`, operation: "get-public-key", keep: "public_key as PUBLIC"},
	{ask: `{"key":"$PARTY","public_key":"$PUBLIC"}`, operation: "derive-shared-secret"},
	{ask: `{"purpose":"Session keys","type":"transport","key_usage":"ENCAPSULATE_DECAPSULATE","spec":"ML_KEM_768"}`, operation: "create-key", keep: "key_id as KEM"},
	{ask: `{"key":"$KEM"}`, operation: "encapsulate", keep: "ciphertext as ENCAPSULATED"},
	{ask: `{"key":"$KEM@1","ciphertext":"$ENCAPSULATED","algorithm":"ML_KEM"}`, operation: "decapsulate"},
	{ask: `{"key":"$KEM","ciphertext":"aGVsbG8="}`, operation: "decapsulate", code: gate.InvalidCiphertext},
	{ask: `{"purpose":"Records on their way","type":"transport","spec":"HPKE_MLKEM768_P256"}`, operation: "create-key", keep: "key_id as RECEIVER"},
	{ask: `{"key":"$RECEIVER","plaintext":"aGVsbG8=","context":{"patient":"17"}}`, operation: "hpke-seal", keep: "ciphertext as SEALED"},
	{ask: `{"ciphertext":"$SEALED","context":{"patient":"17"}}`, operation: "hpke-open"},
	{ask: `{"ciphertext":"$SEALED","key":"$RECEIVER","context":{"patient":"18"}}`, operation: "hpke-open", code: gate.InvalidCiphertext},
	{ask: `{"purpose":"Patient data","type":"data"}`, operation: "create-key", keep: "key_id as DATA"},
	{ask: `{"key":"$DATA","plaintext":"aGVsbG8=","context":{"patient":"17"}}`, operation: "encrypt", keep: "ciphertext as OLD"},
	{ask: `{"ciphertext":"$OLD","source_context":{"patient":"17"},"key":"alias/haven-master"}`, operation: "re-encrypt"},
	{ask: `{"ciphertext":"$OLD","key":"$DATA"}`, operation: "re-encrypt", code: gate.InvalidCiphertext},
	{ask: `{"key":"$DATA","key_pair_spec":"ECC_NIST_EDWARDS25519","context":{"device":"tablet 3"}}`, operation: "generate-data-key-pair"},
	{ask: `{"key":"$DATA","key_pair_spec":"ECC_NIST_EDWARDS25519","plaintext":false}`, operation: "generate-data-key-pair"},
	{ask: `{"key":"$DATA","key_pair_spec":"ML_DSA_65"}`, operation: "generate-data-key-pair", code: gate.InvalidRequest},
	{ask: `{"purpose":"Letters of one day","type":"data","lifetime_days":1}`, operation: "create-key", keep: "key_id as SHORT"},
	{ask: `{"key":"$SHORT"}`, operation: "rotate-key"},
	{ask: `{"key":"$SHORT@1"}`, operation: "restore-version", code: gate.InvalidState},
	{ask: `{"key":"$SHORT@1"}`, operation: "restore-version", after: 24 * time.Hour},
	{ask: `{"purpose":"A key made elsewhere","type":"data","origin":"EXTERNAL"}`, operation: "create-key", keep: "key_id as IMPORTED"},
	{ask: `{"key":"$IMPORTED","plaintext":"aGVsbG8="}`, operation: "encrypt", code: gate.InvalidState},
	{ask: `{"key":"$IMPORTED"}`, operation: "rotate-key", code: gate.InvalidState},
	{ask: `{"key":"$IMPORTED","wrapping_key_spec":"RSA_2048"}`, operation: "get-parameters-for-import", keep: "import_token as TOKEN"},
	{ask: `{"key":"$IMPORTED","import_token":"$TOKEN","encrypted_material":"aGVsbG8="}`, operation: "import-key-material", code: gate.InvalidCiphertext},
	{ask: `{"key":"$IMPORTED","import_token":"$TOKEN","encrypted_material":"$WRAPPED","valid_to":"2030-01-01T00:00:00Z"}`, operation: "import-key-material"},
	{ask: `{"key":"$IMPORTED","import_token":"$TOKEN","encrypted_material":"$WRAPPED"}`, operation: "import-key-material", code: gate.InvalidCiphertext},
	{ask: `{"key":"$IMPORTED@1"}`, operation: "delete-imported-key-material"},
	{ask: `{"key":"$IMPORTED","plaintext":"aGVsbG8="}`, operation: "encrypt", code: gate.InvalidState},
	{ask: `{"key":"ID"}`, operation: "get-parameters-for-import", code: gate.InvalidState},
	{ask: `{"kind":"user","name":"amina","tags":{"team":"clinic"}}`, operation: "create-principal"},
	{ask: `{"kind":"service","name":"amina"}`, operation: "create-principal", code: gate.AlreadyExists},
	{ask: `{"name":"readers","document":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"kms:Decrypt\",\"Resource\":\"*\"}]}"}`, operation: "create-policy"},
	{ask: `{"name":"odd","document":"{\n\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"kms:Decript\",\"Resource\":\"*\"}}"}`, operation: "create-policy", code: gate.InvalidRequest},
	{ask: `{"name":"own","principal":"amina","document":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"kms:Decrypt\",\"Resource\":\"*\"}]}"}`, operation: "create-policy"},
	{ask: `{"policy":"readers","principal":"amina"}`, operation: "attach-policy"},
	{ask: `{"policy":"HavenAuditor","principal":"user/amina","as":"boundary"}`, operation: "attach-policy"},
	{ask: `{"policy":"readers"}`, operation: "describe-policy"},
	{ask: `?policy=own&principal=amina`, operation: "describe-policy", method: http.MethodGet},
	{ask: `{}`, operation: "list-policies"},
	{ask: `?principal=amina`, operation: "list-policies", method: http.MethodGet},
	{ask: `{"policy":"readers","document":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"kms:Decrypt\",\"Resource\":\"*\"}]}"}`, operation: "update-policy"},
	{ask: `{"policy":"readers"}`, operation: "delete-policy", code: gate.Conflict},
	{ask: `{"policy":"readers","principal":"amina"}`, operation: "detach-policy"},
	{ask: `{"policy":"readers"}`, operation: "delete-policy"},
	{ask: `{"kind":"role","name":"night-watch","max_session_seconds":7200,"trust":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"000000000000\"},\"Action\":\"sts:AssumeRole\"}}"}`, operation: "create-principal"},
	{ask: `{"principal":"role/night-watch","as":"trust"}`, operation: "describe-policy"},
	{ask: `{"role":"night-watch","session_name":"amina","duration_seconds":900}`, operation: "assume-role"},
	{ask: `{"role":"nobody","session_name":"amina"}`, operation: "assume-role", code: gate.AccessDenied},
	{ask: `{"key":"$DATA"}`, operation: "get-key-policy"},
	{ask: `{"key":"$DATA","document":"{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:Decript\",\"Resource\":\"*\"}}"}`, operation: "put-key-policy", code: gate.InvalidRequest},
	{ask: `{"key":"$DATA","document":"{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::000000000000:user/amina\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}}"}`, operation: "put-key-policy", code: gate.InvalidRequest},
	{ask: `{"key":"$DATA","document":"{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"arn:aws:iam::000000000000:root\",\"arn:aws:iam::000000000000:user/amina\"]},\"Action\":\"kms:*\",\"Resource\":\"*\"}}"}`, operation: "put-key-policy"},
	{ask: `?key=$DATA`, operation: "get-key-policy", method: http.MethodGet},
	{ask: `{"key":"$DATA","grantee_principal":"arn:aws:iam::000000000000:user/amina","operations":["Encrypt","Decrypt"],"encryption_context_subset":{"patient":"17"},"name":"ward"}`, operation: "create-grant", keep: "grant_id as GRANT"},
	{ask: `{"key":"$DATA","grantee_principal":"arn:aws:iam::000000000000:user/amina","operations":["Sign"]}`, operation: "create-grant", code: gate.InvalidKeyUsage},
	{ask: `{"key":"$DATA","grantee_principal":"arn:aws:iam::000000000000:user/nobody","operations":["Decrypt"]}`, operation: "create-grant", code: gate.InvalidRequest},
	{ask: `{"key":"$DATA"}`, operation: "list-grants"},
	{ask: `?key=$DATA&limit=1&grantee_principal=arn:aws:iam::000000000000:user/amina`, operation: "list-grants", method: http.MethodGet},
	{ask: `{"key":"ID","grant_id":"$GRANT"}`, operation: "revoke-grant", code: gate.NotFound},
	{ask: `{"key":"$DATA","grant_id":"$GRANT"}`, operation: "revoke-grant"},
	{ask: `{"key":"$DATA","grantee_principal":"arn:aws:iam::000000000000:user/amina","operations":["DescribeKey"]}`, operation: "create-grant", keep: "grant_token as ENDED"},
	{ask: `{"grant_token":"$ENDED"}`, operation: "retire-grant"},
	{ask: `{"document":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"kms:*\",\"Resource\":\"*\"}]}"}`, operation: "lint-access"},
	{ask: `{"key":"ID"}`, operation: "lint-key"},
	{ask: `?key=$CAMP`, operation: "lint-key", method: http.MethodGet},
	{ask: `{"key":"ID","action":"decrypt"}`, operation: "list-access"},
	{ask: `?key=ID&action=kms:Decrypt&limit=1`, operation: "list-access", method: http.MethodGet},
	{ask: `{"key":"ID","action":"everything"}`, operation: "list-access", code: gate.InvalidRequest},
	{ask: `{"policy":"own","principal":"amina","key":"ID","document":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"cloudtrail:LookupEvents\",\"Resource\":\"*\"}]}"}`, operation: "preview-policy"},
	{ask: `{"policy":"own","principal":"amina","document":"{}"}`, operation: "preview-policy", code: gate.InvalidRequest},
	{ask: `{"document":"{}","for":"key"}`, operation: "lint-access", code: gate.InvalidRequest},
	{ask: `{"principal":"amina","action":"decrypt","key":"ID","context":{"patient":"17"},"source_ip":"192.0.2.7"}`, operation: "explain-access"},
	{ask: `?decision=00000000-0000-7000-8000-000000000000`, operation: "explain-access", method: http.MethodGet, code: gate.NotFound},
	{ask: `{"kind":"role","name":"auditor"}`, operation: "create-principal"},
	{ask: `{"name":"nurses"}`, operation: "create-group"},
	{ask: `{"principal":"amina","group":"nurses"}`, operation: "add-to-group"},
	{ask: `{"principal":"role/auditor","group":"nurses"}`, operation: "add-to-group", code: gate.InvalidRequest},
	{ask: `{"group":"nurses"}`, operation: "describe-group"},
	{ask: `?group=group/nurses&limit=1`, operation: "describe-group", method: http.MethodGet},
	{ask: `{}`, operation: "list-groups"},
	{ask: `?prefix=nu`, operation: "list-groups", method: http.MethodGet},
	{ask: `{"group":"nurses"}`, operation: "delete-group", code: gate.Conflict},
	{ask: `{"principal":"user/amina"}`, operation: "describe-principal"},
	{ask: `?principal=arn:aws:iam::000000000000:role/auditor`, operation: "describe-principal", method: http.MethodGet},
	{ask: `{"principal":"nobody"}`, operation: "describe-principal", code: gate.NotFound},
	{ask: `{"kind":"user"}`, operation: "list-principals"},
	{ask: `?limit=1`, operation: "list-principals", method: http.MethodGet},
	{ask: `{"principal":"amina","tags":{"site":"camp-3"},"remove_tags":["team"],"disabled":true}`, operation: "update-principal"},
	{ask: `{"principal":"amina","disabled":false}`, operation: "update-principal"},
	{ask: `{"principal":"administrator","disabled":true}`, operation: "update-principal", code: gate.Conflict},
	{ask: `{"principal":"amina","type":"bearer","expires_at":"2027-01-01T00:00:00Z"}`, operation: "create-credential", keep: "id as CREDENTIAL"},
	{ask: `{"principal":"amina","type":"access-key"}`, operation: "create-credential", keep: "id as ACCESSKEY"},
	{ask: `{"principal":"role/auditor","type":"bearer"}`, operation: "create-credential", code: gate.InvalidRequest},
	{ask: `{"principal":"amina","credential":"$CREDENTIAL","overlap_seconds":3600}`, operation: "rotate-credential"},
	{ask: `{"principal":"amina","credential":"$ACCESSKEY","active":false}`, operation: "update-credential"},
	{ask: `{"principal":"amina","credential":"$ACCESSKEY"}`, operation: "rotate-credential", code: gate.Conflict},
	{ask: `{"credential":"$ACCESSKEY"}`, operation: "delete-credential", code: gate.NotFound},
	{ask: `{"principal":"amina","credential":"$CREDENTIAL"}`, operation: "delete-credential"},
	{ask: `{"principal":"amina"}`, operation: "list-credentials"},
	{ask: ``, operation: "list-credentials", method: http.MethodGet},
	{ask: `{"principal":"amina","group":"nurses"}`, operation: "remove-from-group"},
	{ask: `{"group":"nurses"}`, operation: "delete-group"},
	{ask: `{"principal":"amina"}`, operation: "delete-principal"},
	{ask: `{"principal":"amina"}`, operation: "delete-principal", code: gate.NotFound},
	{ask: `{"operation":"disable-key","request":{"for":"1h","key":"$CAMP"},"reason":"a laptop was lost","hours":2}`, operation: "request-approval", keep: "approval_id as APPROVAL"},
	{ask: `{"operation":"encrypt","request":{"key":"$DATA","plaintext":"aGVsbG8="}}`, operation: "request-approval", code: gate.InvalidRequest},
	{ask: `{"operation":"store-key","request":{"name":"db","text":"hunter2"}}`, operation: "request-approval", code: gate.InvalidRequest},
	{ask: `{}`, operation: "list-approvals"},
	{ask: `?all=true&limit=1`, operation: "list-approvals", method: http.MethodGet},
	{ask: `{"approval":"$APPROVAL"}`, operation: "describe-approval"},
	{ask: `?approval=$APPROVAL`, operation: "describe-approval", method: http.MethodGet},
	{ask: `{"approval":"$APPROVAL"}`, operation: "approve", code: gate.Conflict},
	{ask: `{"approval":"$APPROVAL"}`, operation: "withdraw-approval"},
	{ask: `{"approval":"$APPROVAL"}`, operation: "approve", code: gate.InvalidState},
	{ask: `{"approval":"00000000-0000-7000-8000-000000000000"}`, operation: "describe-approval", code: gate.NotFound},
	{ask: `{"name":"api-signing-key","text":"geheim","metadata":{"algorithm":"RSA-2048","created_by":"system"},"kms_key_id":"alias/haven-master","tags":{"team":"clinic"}}`, operation: "store-key"},
	{ask: `{"name":"api-signing-key","value":"AP8B"}`, operation: "store-key"},
	{ask: `{"name":"db","generate":"AES_256","rotation":"rate(30 days)"}`, operation: "store-key"},
	{ask: `{"name":"db","text":"x","value":"AP8B"}`, operation: "store-key", code: gate.InvalidRequest},
	{ask: `{"name":"api-signing-key"}`, operation: "retrieve-key"},
	{ask: `{"name":"api-signing-key","stage":"previous"}`, operation: "retrieve-key"},
	{ask: `{"name":"nothing"}`, operation: "retrieve-key", code: gate.NotFound},
	{ask: `{}`, operation: "list-stored-keys"},
	{ask: `?prefix=api-&limit=1`, operation: "list-stored-keys", method: http.MethodGet},
	{ask: `{"name":"api-signing-key"}`, operation: "list-stored-key-versions"},
	{ask: `?name=api-signing-key`, operation: "list-stored-key-versions", method: http.MethodGet},
	{ask: `{"name":"api-signing-key"}`, operation: "describe-stored-key"},
	{ask: `?name=api-signing-key`, operation: "describe-stored-key", method: http.MethodGet},
	{ask: `{"name":"db"}`, operation: "rotate-stored-key"},
	{ask: `{"name":"db","tags":{"site":"camp-3"}}`, operation: "tag-stored-key"},
	{ask: `{"name":"db","names":["site"]}`, operation: "untag-stored-key"},
	{ask: `{"name":"db","days":7}`, operation: "delete-stored-key"},
	{ask: `{"name":"db"}`, operation: "retrieve-key", code: gate.InvalidState},
	{ask: `{"name":"db"}`, operation: "restore-stored-key"},
	{ask: `{"dry_run":true}`, operation: "check-rotation"},
	{ask: `{"limit":7}`, operation: "check-rotation"},
	{ask: `{"limit":1001}`, operation: "check-rotation", code: gate.InvalidRequest},
	{ask: `{"keys":["alias/haven-master"]}`, operation: "execute-rotations"},
	{ask: `{"keys":[]}`, operation: "execute-rotations", code: gate.InvalidRequest},
	{ask: `{"days":365,"limit":2}`, operation: "list-due"},
	{ask: `?days=1`, operation: "list-due", method: http.MethodGet},
	{ask: `{"expression":"cron(0 3 * * ? *)","timezone":"Europe/Berlin"}`, operation: "schedule-rotation-check"},
	{ask: `{"expression":"rate(1 week)"}`, operation: "schedule-rotation-check", code: gate.InvalidRequest},
	{ask: `{"expression":"at(2020-01-01T00:00:00)"}`, operation: "schedule-rotation-check", code: gate.InvalidRequest},
	{ask: `{}`, operation: "describe-rotation-schedule"},
	{ask: `{"seconds":3600}`, operation: "advance-clock"},
	{ask: `{"seconds":0}`, operation: "advance-clock", code: gate.InvalidRequest},
	{ask: ``, operation: "describe-rotation-schedule", method: http.MethodGet},
	{ask: `{}`, operation: "get-caller-identity"},
	{ask: ``, operation: "get-caller-identity", method: http.MethodGet},
	{ask: `?key=alias/nobody`, operation: "describe-key", method: http.MethodGet, code: gate.NotFound},
	{ask: `{}`, operation: "accept-clock"},
}

// TestOperations holds every answer's shape against testdata/operations.golden, and each against
// its own OpenAPI schema. Ids are numbered as they appear and what is random is told by its length.
func TestOperations(t *testing.T) {
	w := newWorld(t)
	api := readOpenAPI(t, w)
	var transcript strings.Builder
	known := placeholders{}
	var key, ciphertext string
	var kept []string
	done := map[string]bool{}
	// A FIPS 140-3 module from before HPKE leaves the conversation shorter.
	older := errors.Is(crypt.Supported(crypt.MLKEM768P256, crypt.SealOpen), crypt.ErrUnsupported)
	for i, e := range conversation {
		w.clock.Advance(e.after + time.Second) // ids of one millisecond are in no order
		if e.method == "" {
			e.method = http.MethodPost
		}
		done[e.method+" "+e.operation] = true
		if older && strings.Contains(e.ask, "HPKE_") {
			w.post(e.operation, e.ask).refused(t, gate.Unsupported)
			continue
		}
		if older && (strings.Contains(e.ask, "$RECEIVER") || strings.Contains(e.ask, "$SEALED")) {
			continue
		}
		ask := strings.NewReplacer(append(kept, "ID", key, "CIPHERTEXT", ciphertext)...).Replace(e.ask)
		var a *answer
		if e.method == http.MethodGet {
			a = w.get(e.operation, ask)
		} else {
			a = w.post(e.operation, ask)
			api.request(t, e.operation, ask)
		}
		api.answer(t, e.method, e.operation, a)
		e.check(t, i, a)
		if e.operation == "create-key" && key == "" {
			key = between(a.body, `"key_id":"`)
		}
		if e.operation == "encrypt" && ciphertext == "" {
			ciphertext = between(a.body, `"ciphertext":"`)
		}
		if member, name, ok := strings.Cut(e.keep, " as "); ok {
			kept = append(kept, "$"+name, between(a.body, `"`+member+`":"`))
		}
		if e.operation == "get-parameters-for-import" && e.code == 0 {
			kept = append(kept, "$WRAPPED", wrapZeros(t, a))
		}
		fmt.Fprintf(&transcript, "%s /v1/%s %s\n%d %s\n\n", e.method, e.operation, e.ask, a.status, known.replace(a.body))
	}
	for _, op := range gate.Operations() {
		if !op.Internal && (!done["POST "+op.Name] || op.Reads && !done["GET "+op.Name]) {
			t.Errorf("%s is not in the conversation in every method it answers", op.Name)
		}
	}
	if !older {
		golden(t, "operations.golden", transcript.String())
	}
}

// wrapZeros wraps an AES key for import, as the owner of one does.
func wrapZeros(t *testing.T, a *answer) string {
	t.Helper()
	p := must[keys.ImportParameters](t, a)
	public, err := crypt.ParsePublicKey(p.WrappingKeySpec, p.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := public.WrapMaterial(rand.Reader, p.Algorithm, secret.New(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(wrapped)
}

func (e *exchange) check(t *testing.T, i int, a *answer) {
	t.Helper()
	if e.code != 0 {
		a.refused(t, e.code)
		return
	}
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("step %d, %s %s: %d %v %s", i, e.method, e.operation, a.status, a.header, a.body)
	}
	if want := max(e.records, 1); len(a.records) != want {
		t.Errorf("step %d, %s: %d records, want %d", i, e.operation, len(a.records), want)
	}
	for _, r := range a.records {
		if r.Flags&journal.BatchItem == 0 && (r.Outcome != journal.Allowed || r.Operation != operation(e.operation).Number) {
			t.Errorf("step %d, %s: record of operation %d, %v", i, e.operation, r.Operation, r.Outcome)
		}
	}
}

func operation(name string) *gate.Operation {
	for _, op := range gate.Operations() {
		if op.Name == name {
			return op
		}
	}
	panic("no operation " + name)
}

func between(s, before string) string {
	_, rest, _ := strings.Cut(s, before)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// placeholders replaces what differs from run to run.
type placeholders map[string]string

var (
	uuid         = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	random       = regexp.MustCompile(`"(ciphertext|plaintext|signature|mac|shared_secret|public_key|private_key_plaintext|private_key_ciphertext)":"([^"]*)"`)
	text         = regexp.MustCompile(`"(token|grant_token|pem|x|y|thumbprint|fingerprint|key_check_value)":"([^"]*)"`)
	token        = regexp.MustCompile(`"import_token":"[^$"]+"`) // its length varies
	digest       = regexp.MustCompile(`"[0-9a-f]{64}"`)
	accessKeyID  = regexp.MustCompile(`"AKIA[A-Z2-7]{16}"`)
	accessSecret = regexp.MustCompile(`"secret_access_key":"[A-Za-z0-9+/]{40}"`)
	storedARN    = regexp.MustCompile(`(:secret:[a-z/-]+)-[A-Za-z0-9]{6}"`)
	cursor       = regexp.MustCompile(`"next_cursor":"[^"]+"`)
)

func (p placeholders) replace(s string) string {
	s = uuid.ReplaceAllStringFunc(s, func(id string) string {
		if p[id] == "" {
			p[id] = fmt.Sprintf("<id %d>", len(p)+1)
		}
		return p[id]
	})
	s = random.ReplaceAllStringFunc(s, func(m string) string {
		parts := random.FindStringSubmatch(m)
		b, err := base64.StdEncoding.DecodeString(parts[2])
		if err != nil || string(b) == "hello" {
			return m
		}
		return fmt.Sprintf(`"%s":"<%d bytes>"`, parts[1], len(b))
	})
	s = text.ReplaceAllStringFunc(s, func(m string) string {
		parts := text.FindStringSubmatch(m)
		return fmt.Sprintf(`"%s":"<%d characters>"`, parts[1], len(parts[2]))
	})
	s = digest.ReplaceAllString(s, `"<sha-256>"`)
	s = accessKeyID.ReplaceAllString(s, `"<access key id>"`)
	s = accessSecret.ReplaceAllString(s, `"secret_access_key":"<secret>"`)
	s = token.ReplaceAllString(s, `"import_token":"<token>"`)
	s = storedARN.ReplaceAllString(s, `$1-<suffix>"`)
	return cursor.ReplaceAllString(s, `"next_cursor":"<cursor>"`)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s differs at line %d (go test -update writes it anew):\n got %s\nwant %s", path, i+1, g[i], w[i])
		}
	}
	t.Fatalf("%s has %d lines, want %d", path, len(g), len(w))
}

// TestStatuses holds the map of codes to statuses against this copy: a status that changes breaks
// programs.
func TestStatuses(t *testing.T) {
	want := map[string]int{
		"invalid_request": 400, "unauthenticated": 401, "access_denied": 403, "not_found": 404,
		"already_exists": 409, "conflict": 409, "invalid_state": 409, "invalid_ciphertext": 400,
		"incorrect_key": 400, "unsupported": 400, "limit_exceeded": 400, "too_large": 413,
		"rate_limited": 429, "idempotency_mismatch": 409, "contended": 503, "unavailable": 503,
		"no_space": 503, "locked": 503, "internal": 500, "tampered": 500, "invalid_key_usage": 400,
	}
	codes := gate.Codes()
	if len(codes) != len(want) || len(native.Statuses) != len(want) {
		t.Errorf("%d codes, %d mapped, %d expected", len(codes), len(native.Statuses), len(want))
	}
	for _, c := range codes {
		if got, mapped := native.Statuses[c]; !mapped || got != want[c.String()] {
			t.Errorf("%s: status %d, mapped %v, want %d", c, got, mapped, want[c.String()])
		}
	}
}

// TestLesson16OnlyTheTableIsReached: every operation that has a route is served, no other name is, and no
// internal one, nor in a batch (GHSA-rh46-vc3j-w2w3).
func TestLesson16OnlyTheTableIsReached(t *testing.T) {
	w := newWorld(t)
	requests := native.Requests()
	for _, op := range gate.Operations() {
		if _, routed := requests[op.Name]; routed == op.Internal {
			t.Errorf("%s: internal %v, routed %v", op.Name, op.Internal, routed)
		}
		if op.Internal {
			w.lost(w.post(op.Name, `{}`), http.StatusNotFound)
			if a := w.post("batch", `{"items":[{"op":"`+op.Name+`"}]}`); !strings.Contains(a.body, `{"items":[{"error":`) {
				t.Errorf("%s in a batch: %s", op.Name, a.body)
			}
		}
	}
	for _, path := range []string{"/", "/v1", "/v1/", "/v1/nothing", "/v1/encrypt/", "/v1//encrypt", "/v1/Encrypt", "/v2/encrypt", "/v1/encrypt%00", "/v1/batch/encrypt"} {
		w.lost(w.do(w.ask(http.MethodPost, path, strings.NewReader(`{}`))), http.StatusNotFound)
	}
}

// TestLesson17OnlyWhatIsReadIsDecided: what decides sees the request that the operation reads and nothing
// beside it: a query in the URL of a POST is refused, and what it names is nowhere in the record
// (CVE-2022-3100).
func TestLesson17OnlyWhatIsReadIsDecided(t *testing.T) {
	w := newWorld(t)
	mine, other := w.newKey(), w.newKey()
	for _, op := range []string{"encrypt", "describe-key", "list-keys", "disable-key"} {
		for _, query := range []string{"key=" + other, "key=", "?", "principal=administrator"} {
			body := strings.NewReader(fair(mine)[op])
			a := w.do(w.ask(http.MethodPost, "/v1/"+op+"?"+query, body))
			a.refused(t, gate.InvalidRequest)
			if len(a.records) != 1 || gate.ID(a.records[0].Key).String() == other {
				t.Errorf("%s?%s: %+v", op, query, a.records)
			}
		}
	}
	// And of a GET the body is none.
	w.do(w.ask(http.MethodGet, "/v1/describe-key?key="+mine, strings.NewReader(`{"key":"`+other+`"}`))).refused(t, gate.InvalidRequest)
}

// lost checks the answer to a call of nothing: a problem, no id, no record.
func (w *world) lost(a *answer, status int) {
	w.t.Helper()
	p := a.problem(w.t)
	if a.status != status || a.id != "" || p.Detail == "" {
		w.t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if status == http.StatusNotFound && p.Code != gate.NotFound.String() {
		w.t.Errorf("code %s", p.Code)
	}
}

// TestMethods: POST everywhere, GET where nothing changes, nothing else anywhere.
func TestMethods(t *testing.T) {
	w := newWorld(t)
	before := w.position()
	for _, op := range gate.Operations() {
		if op.Internal {
			continue
		}
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect, "post", "INVENTED"} {
			if method == http.MethodGet && op.Reads {
				continue
			}
			a := w.do(w.ask(method, "/v1/"+op.Name, nil))
			w.lost(a, http.StatusMethodNotAllowed)
			want := "POST"
			if op.Reads {
				want = "GET, POST"
			}
			if a.header.Get("Allow") != want {
				t.Errorf("%s %s: Allow %q", method, op.Name, a.header.Get("Allow"))
			}
		}
	}
	if n := w.position() - before; n != 0 {
		t.Errorf("%d records of calls of nothing", n)
	}
}

// TestProblemShape: a problem has these members and, without a key or a decision, no other.
func TestProblemShape(t *testing.T) {
	w := newWorld(t)
	a := w.post("describe-key", `{"key":"alias/nobody"}`)
	var members map[string]any
	if err := json.Unmarshal([]byte(a.body), &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"title", "status", "code", "detail", "request_id"} {
		if members[name] == nil {
			t.Errorf("no %s in %s", name, a.body)
		}
	}
	if len(members) != 5 {
		t.Errorf("more than that in %s", a.body)
	}
}
