//! The processor that launches: a thread that hands calls to its devices, one device after the other.
//!
//! **Model.** A thread launches a call on each of its devices in turn, and each launch occupies it for a time. It does not wait for
//! the devices, so calls queue behind each other. A call of a collective runs on all devices together, once the last of them has
//! been launched and the call before it has ended. Threads of other devices do the same at the same time. A captured graph is one
//! launch for all calls, which costs nothing here.
//!
//! **Invariant.** The time per call tends to the larger of what the thread takes to launch a call and what the devices take to run
//! it, because each hides the other.
//! **Cost.** O(calls). **Limits.** A call takes as long behind another one as alone: ranks that are through early do not begin the
//! next call earlier. Interrupts, memory registration and proxies of the host are in the stack's constants.
//! **Source.** How nccl-tests measures: `src/common.cu`, 20 calls without synchronising; time is wall clock over calls.

use crate::units::Fs;

/// A thread that launches calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// Time to launch a call on a device.
    pub launch_fs: Fs,
    /// Devices of each thread.
    pub devices: u32,
}

impl Launcher {
    /// Time of so many calls back to back, from the first launch to the end of the last call, if the devices take `device_fs`
    /// for one. `None` if the clock would pass its end.
    pub fn run(&self, calls: u32, device_fs: Fs) -> Option<Fs> {
        let launch = self.launch_fs.checked_mul(self.devices.into())?;
        let (mut launched, mut ended): (Fs, Fs) = (0, 0);
        for _ in 0..calls {
            launched = launched.checked_add(launch)?;
            ended = launched.max(ended).checked_add(device_fs)?;
        }
        Some(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slower_of_host_and_devices_sets_the_pace() {
        let host = Launcher { launch_fs: 4, devices: 8 };
        // the host's 32 hide the devices' 10: 20 launches, and the last call
        assert_eq!(host.run(20, 10), Some(20 * 32 + 10));
        // the devices' 100 hide the host's 32, but for the first launch
        assert_eq!(host.run(20, 100), Some(32 + 20 * 100));
        // one call hides nothing
        assert_eq!(host.run(1, 10), Some(32 + 10));
        assert_eq!(Launcher { launch_fs: 0, devices: 8 }.run(20, 10), Some(200));
    }

    #[test]
    fn a_clock_that_would_pass_its_end_is_none() {
        assert_eq!(Launcher { launch_fs: u64::MAX, devices: 2 }.run(1, 0), None);
        assert_eq!(Launcher { launch_fs: 1, devices: 1 }.run(3, u64::MAX / 2), None);
    }
}
