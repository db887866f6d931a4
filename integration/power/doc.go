// Package power cuts the power of a broker under load: its data lies on an ext4 file system of its own, in a file that is
// mounted as a loop device, and that file system is told to stop, without its journal being flushed (EXT4_IOC_SHUTDOWN). What
// was not synced is gone when it is mounted again.
//
// The tests want root and loop devices, and run in a mount namespace of their own: what they mount goes with them, however
// they end.
package power
