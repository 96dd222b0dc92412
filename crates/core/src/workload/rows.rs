//! Rows of the tables of a workload, from what its ranks left behind.

use std::collections::BTreeMap;

use super::Workload;
use crate::record::{IterationRecord, OperationRecord};

impl Workload {
    /// A row per operation and role, from the records of ranks by operation; each rank stands for so many.
    pub(crate) fn records(
        &self,
        ranks: impl Iterator<Item = (u32, Vec<OperationRecord>)>,
        each: u64,
    ) -> Vec<OperationRecord> {
        let mut rows: BTreeMap<(u32, u32), OperationRecord> = BTreeMap::new();
        for (rank, records) in ranks {
            let role = self.role_number(rank);
            for (operation, record) in (0u32..).zip(records).filter(|(_, record)| record.instances > 0) {
                let row = rows.entry((operation, role)).or_insert(OperationRecord { operation, role, ..record });
                if row.ranks > 0 {
                    row.merge(&record);
                }
                row.ranks += 1;
            }
        }
        let scaled = |row: OperationRecord| OperationRecord {
            ranks: row.ranks * each,
            instances: row.instances * each,
            time_fs: row.time_fs * u128::from(each),
            exposed_fs: row.exposed_fs * u128::from(each),
            ..row
        };
        rows.into_values().map(scaled).collect()
    }

    /// Rows of instances by operation, role and iteration, from those of ranks.
    pub(crate) fn iterations<'r>(
        &self,
        ranks: impl Iterator<Item = (u32, &'r [IterationRecord])>,
    ) -> Vec<IterationRecord> {
        let named = |(rank, rows): (u32, &'r [IterationRecord])| {
            let role = self.role_number(rank);
            rows.iter().map(move |&row| IterationRecord { role, rank, ..row })
        };
        let mut rows: Vec<IterationRecord> = ranks.flat_map(named).collect();
        rows.sort_unstable();
        rows
    }
}
