//! `GET /taskmanagers` and `GET /taskmanagers/{taskmanagerid}`: the processes that run tasks.
//!
//! Flink's numbers about the division of a JVM's memory (`memoryConfiguration`, garbage collection) have no counterpart
//! and are left out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All TaskManagers that are registered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskManagers {
    /// The TaskManagers.
    pub taskmanagers: Vec<TaskManager>,
}

/// A TaskManager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskManager {
    /// Its id.
    pub id: String,
    /// The address that the JobMaster reaches it at.
    pub path: String,
    /// The port that other TaskManagers send rows to.
    pub data_port: i32,
    /// The port for Java's management tools: always -1 here.
    pub jmx_port: i32,
    /// When it was heard of last, in milliseconds since 1970. (The name is Flink's and misleads.)
    pub time_since_last_heartbeat: i64,
    /// How many slots it has.
    pub slots_number: u32,
    /// How many of them no job holds.
    pub free_slots: u32,
    /// How many subtasks run in it.
    #[serde(default)]
    pub assigned_tasks: u32,
    /// What its slots have together; absent where slots are only counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_resource: Option<ResourceProfile>,
    /// What its free slots have together; absent where slots are only counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_resource: Option<ResourceProfile>,
    /// The machine or container that it runs on.
    pub hardware: Hardware,
}

/// A TaskManager, what it is working on and what it uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskManagerDetails {
    /// What the list says of it.
    #[serde(flatten)]
    pub summary: TaskManager,
    /// The slots that jobs hold.
    #[serde(default)]
    pub allocated_slots: Vec<AllocatedSlot>,
    /// What it uses.
    pub metrics: TaskManagerMetrics,
}

/// A slot that a job holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllocatedSlot {
    /// Whose it is.
    pub job_id: String,
    /// What it has; absent where slots are only counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceProfile>,
    /// How many subtasks run in it.
    #[serde(default)]
    pub assigned_tasks: u32,
}

/// What one or more slots have. Memory is in MiB.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceProfile {
    /// Processor cores.
    pub cpu_cores: f64,
    /// Memory of the program's objects.
    pub task_heap_memory: i64,
    /// Memory of the program outside of Java's heap.
    pub task_off_heap_memory: i64,
    /// Memory of state.
    pub managed_memory: i64,
    /// Memory of channels between tasks.
    pub network_memory: i64,
    /// What else there is, by name.
    #[serde(default)]
    pub extended_resources: BTreeMap<String, f64>,
}

/// A machine or container. Memory is in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hardware {
    /// Processor cores.
    pub cpu_cores: u32,
    /// All of its memory.
    pub physical_memory: u64,
    /// The memory that the process may use. (The size of Java's heap in Flink.)
    pub free_memory: u64,
    /// The memory that is set apart for state.
    pub managed_memory: u64,
}

/// What a TaskManager uses, in bytes. What is not measured is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskManagerMetrics {
    /// The memory that the process uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap_used: Option<u64>,
    /// The memory that the process has from the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap_committed: Option<u64>,
    /// The memory that the process may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap_max: Option<u64>,
    /// What is free of the memory of channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netty_shuffle_memory_available: Option<u64>,
    /// What channels hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netty_shuffle_memory_used: Option<u64>,
    /// What channels may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netty_shuffle_memory_total: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::is_written_and_read_as;

    fn profile(cpu_cores: f64, heap: i64, managed: i64, network: i64) -> ResourceProfile {
        ResourceProfile {
            cpu_cores,
            task_heap_memory: heap,
            managed_memory: managed,
            network_memory: network,
            ..ResourceProfile::default()
        }
    }

    fn sample() -> TaskManager {
        TaskManager {
            id: "127.0.0.1:44625-31901e".to_owned(),
            path: "pekko.tcp://flink@127.0.0.1:44625/user/rpc/taskmanager_0".to_owned(),
            data_port: 45_285,
            jmx_port: -1,
            time_since_last_heartbeat: 1_795_612_798_447,
            slots_number: 4,
            free_slots: 2,
            assigned_tasks: 4,
            total_resource: Some(profile(1.0, 200, 100, 64)),
            free_resource: Some(profile(0.5, 100, 50, 32)),
            hardware: Hardware {
                cpu_cores: 2,
                physical_memory: 25_276_502_016,
                free_memory: 629_145_600,
                managed_memory: 104_857_600,
            },
        }
    }

    const RECORDED: &str = r#"{"id":"127.0.0.1:44625-31901e",
        "path":"pekko.tcp://flink@127.0.0.1:44625/user/rpc/taskmanager_0","dataPort":45285,"jmxPort":-1,
        "timeSinceLastHeartbeat":1795612798447,"slotsNumber":4,"freeSlots":2,"assignedTasks":4,
        "totalResource":{"cpuCores":1.0,"taskHeapMemory":200,"taskOffHeapMemory":0,"managedMemory":100,
                         "networkMemory":64,"extendedResources":{}},
        "freeResource":{"cpuCores":0.5,"taskHeapMemory":100,"taskOffHeapMemory":0,"managedMemory":50,
                        "networkMemory":32,"extendedResources":{}},
        "hardware":{"cpuCores":2,"physicalMemory":25276502016,"freeMemory":629145600,"managedMemory":104857600}}"#;

    #[test]
    fn list_has_flinks_shape() {
        is_written_and_read_as(&TaskManagers::default(), r#"{"taskmanagers":[]}"#);
        let list = TaskManagers { taskmanagers: vec![sample()] };
        is_written_and_read_as(&list, &format!(r#"{{"taskmanagers":[{RECORDED}]}}"#));
    }

    #[test]
    fn details_are_the_summary_and_more() {
        let slot = AllocatedSlot {
            job_id: "9c067a173e760c1c11186670f61795bf".to_owned(),
            resource: Some(profile(0.25, 50, 25, 16)),
            assigned_tasks: 2,
        };
        let metrics = TaskManagerMetrics {
            heap_used: Some(42_652_736),
            heap_committed: Some(67_108_864),
            heap_max: Some(629_145_600),
            netty_shuffle_memory_available: Some(66_846_720),
            netty_shuffle_memory_used: Some(262_144),
            netty_shuffle_memory_total: Some(67_108_864),
        };
        let body = TaskManagerDetails { summary: sample(), allocated_slots: vec![slot], metrics };
        let more = r#","allocatedSlots":[{"jobId":"9c067a173e760c1c11186670f61795bf","resource":{"cpuCores":0.25,
            "taskHeapMemory":50,"taskOffHeapMemory":0,"managedMemory":25,"networkMemory":16,"extendedResources":{}},
            "assignedTasks":2}],"metrics":{"heapUsed":42652736,"heapCommitted":67108864,"heapMax":629145600,
            "nettyShuffleMemoryAvailable":66846720,"nettyShuffleMemoryUsed":262144,
            "nettyShuffleMemoryTotal":67108864}}"#;
        is_written_and_read_as(&body, &format!("{}{more}", RECORDED.strip_suffix('}').unwrap()));
    }

    #[test]
    fn what_is_not_measured_is_absent() {
        is_written_and_read_as(&TaskManagerMetrics::default(), "{}");
    }
}
