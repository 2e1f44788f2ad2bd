//! Carries messages through topologies and faces the world.
