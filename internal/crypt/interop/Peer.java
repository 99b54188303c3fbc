import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.KeyAgreement;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.bouncycastle.crypto.AsymmetricCipherKeyPair;
import org.bouncycastle.crypto.SecretWithEncapsulation;
import org.bouncycastle.crypto.Signer;
import org.bouncycastle.crypto.engines.AESEngine;
import org.bouncycastle.crypto.engines.RFC5649WrapEngine;
import org.bouncycastle.crypto.hpke.HPKE;
import org.bouncycastle.crypto.hpke.HPKEContext;
import org.bouncycastle.crypto.hpke.HPKEContextWithEncapsulation;
import org.bouncycastle.crypto.kems.MLKEMExtractor;
import org.bouncycastle.crypto.kems.MLKEMGenerator;
import org.bouncycastle.crypto.params.KeyParameter;
import org.bouncycastle.crypto.params.MLDSAParameters;
import org.bouncycastle.crypto.params.MLDSAPrivateKeyParameters;
import org.bouncycastle.crypto.params.MLKEMParameters;
import org.bouncycastle.crypto.params.MLKEMPrivateKeyParameters;
import org.bouncycastle.crypto.params.ParametersWithRandom;
import org.bouncycastle.crypto.signers.Ed25519phSigner;
import org.bouncycastle.crypto.signers.MLDSASigner;
import org.bouncycastle.crypto.util.PrivateKeyFactory;
import org.bouncycastle.crypto.util.PublicKeyFactory;
import org.bouncycastle.crypto.util.SubjectPublicKeyInfoFactory;
import org.bouncycastle.jcajce.interfaces.MLDSAPrivateKey;
import org.bouncycastle.jcajce.interfaces.MLKEMPrivateKey;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/**
 * Does with Bouncy Castle what bouncycastle_test.go asks for. A line of standard input is an operation
 * and its arguments, separated by single spaces; every line is answered by one: "ok" and the results,
 * or "refused" and why. Bytes are in hexadecimal.
 *
 * <p>Keys are in Haven's encodings: PKCS #8 and SubjectPublicKeyInfo in DER, the seeds of FIPS 203 and
 * FIPS 204, and for HPKE the seed and the serialised public key.
 */
final class Peer {
  private static final Provider PROVIDER = new BouncyCastleProvider();
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final HexFormat HEX = HexFormat.of();

  private static final Map<String, MLDSAParameters> MLDSA =
      Map.of("ML-DSA-44", MLDSAParameters.ml_dsa_44, "ML-DSA-65", MLDSAParameters.ml_dsa_65, "ML-DSA-87", MLDSAParameters.ml_dsa_87);
  private static final Map<String, MLKEMParameters> MLKEM =
      Map.of("ML-KEM-768", MLKEMParameters.ml_kem_768, "ML-KEM-1024", MLKEMParameters.ml_kem_1024);

  /** One line of input, of which the arguments are taken in order. */
  private static final class Request {
    private final String[] words;
    private int next;

    Request(String line) {
      words = line.split(" ", -1);
    }

    String word() {
      return words[next++];
    }

    byte[] bytes() {
      return HEX.parseHex(word());
    }
  }

  public static void main(String[] args) throws IOException {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.US_ASCII);
    for (String line; (line = in.readLine()) != null; ) {
      StringBuilder answer = new StringBuilder("ok");
      try {
        for (byte[] result : answer(new Request(line))) {
          answer.append(' ').append(HEX.formatHex(result));
        }
      } catch (Exception e) {
        answer = new StringBuilder("refused ").append(e.toString().replace('\n', ' '));
      }
      out.println(answer);
    }
  }

  private static byte[][] answer(Request r) throws Exception {
    String operation = r.word();
    switch (operation) {
      case "version":
        return results(PROVIDER.getVersionStr().getBytes(StandardCharsets.US_ASCII));
      case "generate":
        return generate(r.word());
      case "public":
        return publicOfSeed(r.word(), r.bytes());
      case "sign":
        return sign(r.word(), r.bytes(), r.bytes());
      case "verify":
        return verify(r.word(), r.bytes(), r.bytes(), r.bytes());
      case "mu":
        return mu(r.bytes(), r.bytes());
      case "sign-mu":
        return signMu(r.word(), r.bytes(), r.bytes());
      case "mac":
        return mac(r.word(), r.bytes(), r.bytes());
      case "agree":
        return agree(r.bytes(), r.bytes());
      case "encrypt":
        return crypt(r.word(), publicKey("RSA", r.bytes()), null, r.bytes());
      case "decrypt":
        return crypt(r.word(), null, privateKey("RSA", r.bytes()), r.bytes());
      case "wrap":
        return wrap(true, r.bytes(), r.bytes());
      case "unwrap":
        return wrap(false, r.bytes(), r.bytes());
      case "encapsulate":
        return encapsulate(r.bytes());
      case "decapsulate":
        return decapsulate(r.word(), r.bytes(), r.bytes());
      case "hpke-generate":
        return hpkeGenerate(hpke(r.word()));
      case "hpke-seal":
        return hpkeSeal(hpke(r.word()), r.bytes(), r.bytes(), r.bytes(), r.bytes());
      case "hpke-open":
        return hpkeOpen(hpke(r.word()), r.bytes(), r.bytes(), r.bytes(), r.bytes(), r.bytes(), r.bytes());
      default:
        throw new IllegalArgumentException("no operation " + operation);
    }
  }

  private static byte[][] results(byte[]... results) {
    return results;
  }

  /** A new pair: the private key, or its seed where Haven stores that, and the public key. */
  private static byte[][] generate(String algorithm) throws Exception {
    String[] parts = algorithm.split(":"); // RSA:2048, EC:P-256
    KeyPairGenerator generator = KeyPairGenerator.getInstance(parts[0], PROVIDER);
    if (parts[0].equals("RSA")) {
      generator.initialize(Integer.parseInt(parts[1]));
    } else if (parts.length > 1) {
      generator.initialize(new java.security.spec.ECGenParameterSpec(parts[1]));
    }
    KeyPair pair = generator.generateKeyPair();
    PrivateKey k = pair.getPrivate();
    byte[] material = k.getEncoded();
    if (k instanceof MLDSAPrivateKey) {
      material = ((MLDSAPrivateKey) k).getSeed();
    } else if (k instanceof MLKEMPrivateKey) {
      material = ((MLKEMPrivateKey) k).getSeed();
    }
    return results(material, pair.getPublic().getEncoded());
  }

  private static byte[][] publicOfSeed(String algorithm, byte[] seed) throws Exception {
    return results(
        SubjectPublicKeyInfoFactory.createSubjectPublicKeyInfo(
                MLDSA.containsKey(algorithm)
                    ? new MLDSAPrivateKeyParameters(MLDSA.get(algorithm), seed).getPublicKeyParameters()
                    : new MLKEMPrivateKeyParameters(MLKEM.get(algorithm), seed).getPublicKeyParameters())
            .getEncoded("DER"));
  }

  private static PrivateKey privateKey(String algorithm, byte[] pkcs8) throws Exception {
    return KeyFactory.getInstance(algorithm, PROVIDER).generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
  }

  private static PublicKey publicKey(String algorithm, byte[] spki) throws Exception {
    return KeyFactory.getInstance(algorithm, PROVIDER).generatePublic(new X509EncodedKeySpec(spki));
  }

  /** What KeyFactory calls the keys of a signature algorithm such as SHA256withECDSA. */
  private static String keysOf(String algorithm) {
    if (algorithm.contains("withRSA")) {
      return "RSA";
    }
    return algorithm.endsWith("withECDSA") ? "EC" : algorithm;
  }

  private static byte[][] sign(String algorithm, byte[] material, byte[] message) throws Exception {
    if (MLDSA.containsKey(algorithm)) {
      MLDSASigner signer = new MLDSASigner();
      signer.init(true, new ParametersWithRandom(new MLDSAPrivateKeyParameters(MLDSA.get(algorithm), material), RANDOM));
      signer.update(message, 0, message.length);
      return results(signer.generateSignature());
    }
    if (algorithm.equals("Ed25519ph")) {
      Signer signer = new Ed25519phSigner(new byte[0]);
      signer.init(true, PrivateKeyFactory.createKey(material));
      signer.update(message, 0, message.length);
      return results(signer.generateSignature());
    }
    Signature signer = Signature.getInstance(algorithm, PROVIDER);
    signer.initSign(privateKey(keysOf(algorithm), material), RANDOM);
    signer.update(message);
    return results(signer.sign());
  }

  private static byte[][] verify(String algorithm, byte[] spki, byte[] message, byte[] signature) throws Exception {
    boolean valid;
    if (algorithm.equals("Ed25519ph")) {
      Signer signer = new Ed25519phSigner(new byte[0]);
      signer.init(false, PublicKeyFactory.createKey(spki));
      signer.update(message, 0, message.length);
      valid = signer.verifySignature(signature);
    } else {
      Signature signer = Signature.getInstance(algorithm, PROVIDER);
      signer.initVerify(publicKey(keysOf(algorithm), spki));
      signer.update(message);
      valid = signer.verify(signature);
    }
    if (!valid) {
      throw new SecurityException("signature is not valid");
    }
    return results();
  }

  /** The message representative of FIPS 204. */
  private static byte[][] mu(byte[] spki, byte[] message) throws Exception {
    MLDSASigner signer = new MLDSASigner();
    signer.init(false, PublicKeyFactory.createKey(spki));
    signer.update(message, 0, message.length);
    return results(signer.generateMu());
  }

  private static byte[][] signMu(String algorithm, byte[] seed, byte[] mu) throws Exception {
    MLDSASigner signer = new MLDSASigner();
    signer.init(true, new ParametersWithRandom(new MLDSAPrivateKeyParameters(MLDSA.get(algorithm), seed), RANDOM));
    return results(signer.generateMuSignature(mu));
  }

  private static byte[][] mac(String algorithm, byte[] key, byte[] message) throws Exception {
    Mac mac = Mac.getInstance(algorithm, PROVIDER);
    mac.init(new SecretKeySpec(key, algorithm));
    return results(mac.doFinal(message));
  }

  private static byte[][] agree(byte[] pkcs8, byte[] spki) throws Exception {
    KeyAgreement agreement = KeyAgreement.getInstance("ECDH", PROVIDER);
    agreement.init(privateKey("EC", pkcs8));
    agreement.doPhase(publicKey("EC", spki), true);
    return results(agreement.generateSecret());
  }

  /** RSAES-OAEP with the hash for mask generation too: to the public key, or by the private key. */
  private static byte[][] crypt(String hash, PublicKey to, PrivateKey by, byte[] input) throws Exception {
    Cipher cipher = Cipher.getInstance("RSA/NONE/OAEPWith" + hash + "AndMGF1Padding", PROVIDER);
    if (to != null) {
      cipher.init(Cipher.ENCRYPT_MODE, to, RANDOM);
    } else {
      cipher.init(Cipher.DECRYPT_MODE, by);
    }
    return results(cipher.doFinal(input));
  }

  /** AES key wrap with padding, RFC 5649. */
  private static byte[][] wrap(boolean wrap, byte[] key, byte[] input) throws Exception {
    RFC5649WrapEngine engine = new RFC5649WrapEngine(AESEngine.newInstance());
    engine.init(wrap, new KeyParameter(key));
    return results(wrap ? engine.wrap(input, 0, input.length) : engine.unwrap(input, 0, input.length));
  }

  private static byte[][] encapsulate(byte[] spki) throws Exception {
    SecretWithEncapsulation made = new MLKEMGenerator(RANDOM).generateEncapsulated(PublicKeyFactory.createKey(spki));
    return results(made.getSecret(), made.getEncapsulation());
  }

  private static byte[][] decapsulate(String algorithm, byte[] seed, byte[] ciphertext) {
    return results(new MLKEMExtractor(new MLKEMPrivateKeyParameters(MLKEM.get(algorithm), seed)).extractSecret(ciphertext));
  }

  private static HPKE hpke(String kem) {
    short id = kem.equals("X-Wing") ? HPKE.kem_X_WING : HPKE.kem_MLKEM768_P256;
    return new HPKE(HPKE.mode_base, id, HPKE.kdf_HKDF_SHA256, HPKE.aead_AES_GCM256);
  }

  private static byte[][] hpkeGenerate(HPKE hpke) {
    AsymmetricCipherKeyPair pair = hpke.generatePrivateKey();
    return results(hpke.serializePrivateKey(pair.getPrivate()), hpke.serializePublicKey(pair.getPublic()));
  }

  /** Returns the encapsulated key, 32 exported bytes and the ciphertext. */
  private static byte[][] hpkeSeal(HPKE hpke, byte[] publicKey, byte[] info, byte[] exported, byte[] plaintext) throws Exception {
    HPKEContextWithEncapsulation sender = hpke.setupBaseS(hpke.deserializePublicKey(publicKey), info);
    return results(sender.getEncapsulation(), sender.export(exported, 32), sender.seal(new byte[0], plaintext));
  }

  /** Returns 32 exported bytes and the plaintext. */
  private static byte[][] hpkeOpen(HPKE hpke, byte[] seed, byte[] publicKey, byte[] info, byte[] exported, byte[] enc, byte[] ciphertext)
      throws Exception {
    AsymmetricCipherKeyPair pair = hpke.deserializePrivateKey(seed, publicKey);
    if (!Arrays.equals(hpke.serializePublicKey(pair.getPublic()), publicKey)) {
      throw new SecurityException("the seed has another public key");
    }
    HPKEContext recipient = hpke.setupBaseR(enc, pair, info);
    return results(recipient.export(exported, 32), recipient.open(new byte[0], ciphertext));
  }
}
