// Package conform sends the same requests to Apache Kafka and to ottla, and compares the answers.
//
// A script (the *_script_test.go files) is a list of requests, each swept through versions. What Apache Kafka answered is
// recorded in testdata/NAME.golden, so that a plain test run needs no JVM; go test ./integration/conform -update records
// it anew from a live Apache Kafka. Answers are compared leaf by leaf after ids, times and addresses have been replaced
// by names. Every difference stands in testdata/differences.txt with its reason; one that is not listed fails the test,
// and so does a listed one that is no more.
package conform
