package config

// Who may connect, and who may do what. This build has none of it yet: a key that would promise it stops the start.
const (
	AuthorizerClassName                  Key = "authorizer.class.name"
	PrincipalBuilderClass                Key = "principal.builder.class"
	ConnectionsMaxReauthMs               Key = "connections.max.reauth.ms"
	SecurityProviders                    Key = "security.providers"
	DelegationTokenSecretKey             Key = "delegation.token.secret.key"
	DelegationTokenMaxLifetimeMs         Key = "delegation.token.max.lifetime.ms"
	DelegationTokenExpiryTimeMs          Key = "delegation.token.expiry.time.ms"
	DelegationTokenExpiryCheckIntervalMs Key = "delegation.token.expiry.check.interval.ms"
	SSLClientAuth                        Key = "ssl.client.auth"
	SSLKeystoreType                      Key = "ssl.keystore.type"
	SSLKeystoreLocation                  Key = "ssl.keystore.location"
	SSLKeystorePassword                  Key = "ssl.keystore.password"
	SSLKeyPassword                       Key = "ssl.key.password"
	SSLKeystoreKey                       Key = "ssl.keystore.key"
	SSLKeystoreCertificateChain          Key = "ssl.keystore.certificate.chain"
	SSLTruststoreType                    Key = "ssl.truststore.type"
	SSLTruststoreLocation                Key = "ssl.truststore.location"
	SSLTruststorePassword                Key = "ssl.truststore.password"
	SSLTruststoreCertificates            Key = "ssl.truststore.certificates"
	SSLProtocol                          Key = "ssl.protocol"
	SSLEnabledProtocols                  Key = "ssl.enabled.protocols"
	SSLCipherSuites                      Key = "ssl.cipher.suites"
	SSLPrincipalMappingRules             Key = "ssl.principal.mapping.rules"
	SSLEndpointIdentificationAlgorithm   Key = "ssl.endpoint.identification.algorithm"
	SSLProvider                          Key = "ssl.provider"
	SSLKeymanagerAlgorithm               Key = "ssl.keymanager.algorithm"
	SSLTrustmanagerAlgorithm             Key = "ssl.trustmanager.algorithm"
	SSLSecureRandomImplementation        Key = "ssl.secure.random.implementation"
	SSLEngineFactoryClass                Key = "ssl.engine.factory.class"
	SSLAllowDNChanges                    Key = "ssl.allow.dn.changes"
	SSLAllowSANChanges                   Key = "ssl.allow.san.changes"
)

var securityRows = []Row{
	{AuthorizerClassName, String, "", nil, ReadOnly, Refused, "The authorizer. Empty allows everything to everyone who can connect."},
	{PrincipalBuilderClass, Class, "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder", nil, PerBroker, Refused, "A plug-in that names the principal of a connection."},
	{ConnectionsMaxReauthMs, Long, "0", nil, ReadOnly, Refused, "How long an authentication lasts, 0 for as long as its connection."},
	{SecurityProviders, String, None, nil, ReadOnly, NoEffect, "Java security providers; there is no JVM here."},
	{DelegationTokenSecretKey, Password, None, nil, ReadOnly, Refused, "The secret by which delegation tokens are signed; unset, there are none."},
	{DelegationTokenMaxLifetimeMs, Long, "604800000", atLeast(1), ReadOnly, NoEffect, "How long a delegation token can be renewed."},
	{DelegationTokenExpiryTimeMs, Long, "86400000", atLeast(1), ReadOnly, NoEffect, "How long a delegation token lasts without renewal."},
	{DelegationTokenExpiryCheckIntervalMs, Long, "3600000", atLeast(1), ReadOnly, NoEffect, "How often expired delegation tokens are looked for."},
	{SSLClientAuth, String, "none", oneOf("required", "requested", "none"), PerBroker, Refused, "Whether clients must show a certificate."},
	{SSLKeystoreType, String, "JKS", nil, PerBroker, NoEffect, "The format of the key store."},
	{SSLKeystoreLocation, String, None, nil, PerBroker, Refused, "The file with this node's key and certificate."},
	{SSLKeystorePassword, Password, None, nil, PerBroker, Refused, "The key store's password."},
	{SSLKeyPassword, Password, None, nil, PerBroker, Refused, "The private key's password."},
	{SSLKeystoreKey, Password, None, nil, PerBroker, Refused, "This node's private key, as PEM text."},
	{SSLKeystoreCertificateChain, Password, None, nil, PerBroker, Refused, "This node's certificates, as PEM text."},
	{SSLTruststoreType, String, "JKS", nil, PerBroker, NoEffect, "The format of the trust store."},
	{SSLTruststoreLocation, String, None, nil, PerBroker, Refused, "The file with the certificates that are trusted."},
	{SSLTruststorePassword, Password, None, nil, PerBroker, Refused, "The trust store's password."},
	{SSLTruststoreCertificates, Password, None, nil, PerBroker, Refused, "The certificates that are trusted, as PEM text."},
	{SSLProtocol, String, "TLSv1.3", nil, PerBroker, NoEffect, "The TLS version to begin with."},
	{SSLEnabledProtocols, List, "TLSv1.2,TLSv1.3", listOrEmpty(), PerBroker, NoEffect, "The TLS versions that are allowed."},
	{SSLCipherSuites, List, "", listOrEmpty(), PerBroker, NoEffect, "The cipher suites that are allowed; empty allows all."},
	{SSLPrincipalMappingRules, String, "DEFAULT", nil, ReadOnly, NoEffect, "How a certificate's name becomes a principal."},
	{SSLEndpointIdentificationAlgorithm, String, "https", nil, PerBroker, NoEffect, "How a server's name is checked against its certificate."},
	{SSLProvider, String, None, nil, PerBroker, NoEffect, "The Java provider of TLS; there is no JVM here."},
	{SSLKeymanagerAlgorithm, String, "SunX509", nil, PerBroker, NoEffect, "The Java key manager; there is no JVM here."},
	{SSLTrustmanagerAlgorithm, String, "PKIX", nil, PerBroker, NoEffect, "The Java trust manager; there is no JVM here."},
	{SSLSecureRandomImplementation, String, None, nil, PerBroker, NoEffect, "The Java source of random numbers; there is no JVM here."},
	{SSLEngineFactoryClass, Class, None, nil, PerBroker, Refused, "A plug-in that makes TLS engines."},
	{SSLAllowDNChanges, Boolean, "false", nil, ReadOnly, NoEffect, "Whether a reloaded certificate may bear another name."},
	{SSLAllowSANChanges, Boolean, "false", nil, ReadOnly, NoEffect, "Whether a reloaded certificate may bear other host names."},
}
