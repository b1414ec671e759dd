//! One lock per key, for as long as someone holds or awaits it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// How many locks may be remembered before those that nobody has are forgotten.
const REMEMBERED: usize = 1024;

/// Locks by key. Waiting for one holds no thread.
#[derive(Debug)]
pub(crate) struct KeyLocks<K> {
    locks: Mutex<HashMap<K, Weak<AsyncMutex<()>>>>,
}

impl<K> Default for KeyLocks<K> {
    fn default() -> Self {
        Self {
            locks: Mutex::default(),
        }
    }
}

impl<K: Eq + Hash> KeyLocks<K> {
    /// Waits until nobody else has the key.
    pub(crate) async fn lock(&self, key: K) -> OwnedMutexGuard<()> {
        self.of(key).lock_owned().await
    }

    fn of(&self, key: K) -> Arc<AsyncMutex<()>> {
        // Nothing that can panic leaves the map half changed.
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(&key).and_then(Weak::upgrade) {
            return lock;
        }
        if locks.len() >= REMEMBERED {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::default();
        locks.insert(key, Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_per_key() {
        let locks = KeyLocks::default();
        let first = locks.lock(1).await;
        let _other_key = locks.lock(2).await;
        assert!(locks.of(1).try_lock().is_err());
        drop(first);
        assert!(locks.of(1).try_lock().is_ok());
    }

    #[tokio::test]
    async fn locks_that_nobody_has_are_forgotten() {
        let locks = KeyLocks::default();
        let held = locks.lock(usize::MAX).await;
        for key in 0..5 * REMEMBERED {
            drop(locks.lock(key).await);
        }
        assert!(locks.locks.lock().unwrap().len() <= REMEMBERED);
        assert!(locks.of(usize::MAX).try_lock().is_err());
        drop(held);
    }
}
