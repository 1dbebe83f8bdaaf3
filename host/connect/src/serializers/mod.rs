//! All serializers.

use crate::catalog::SerializerType;

/// All serializers.
pub static TYPES: &[SerializerType] = &[];
