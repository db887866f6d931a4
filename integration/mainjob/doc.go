// Package mainjob is the whole job at once: a large text file, each line prefixed with its number, goes through
// kcat -P -X enable.idempotence=true into six partitions and out through a consumer group of three members. The broker is
// killed once while producing and once while consuming, and one member is killed. What was read, each (partition, offset)
// taken once, must be dense and in line order within each partition, and sorted by number it must be the file.
//
// OTTLA_MAINJOB_BYTES is the size of the file; make mainjob takes 1 GiB.
package mainjob
